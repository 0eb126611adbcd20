"""Talking to beanstalkd. Knows no task; the only package that imports greenstalk."""
