"""What runs once, at launch: parameters, checks, and the options for Dataflow."""
