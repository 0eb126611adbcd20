"""The command ``jobqueue``: show the jobs that wait or failed, and change them."""
