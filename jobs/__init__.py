"""Example jobs: the job files, the tasks that they name, and the data that they read."""
