"""A report as the one comment of a stack on a pull request of GitHub, or a merge request of GitLab."""
