"""Record reviewers' decisions about claims."""
