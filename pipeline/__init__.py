"""What the image holds: the launcher and the workers of the Flex Template."""
