"""What an operator or analyst runs at a shell: the `claims` command."""
