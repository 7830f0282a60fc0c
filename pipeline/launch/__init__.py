"""What runs once, at the launch: parameters, checks, and what Dataflow is given."""
