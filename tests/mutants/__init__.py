"""Realistic faults, put into the package one at a time: do the tests find each?"""
