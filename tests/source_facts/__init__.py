"""What is known of torch's names and their counterparts, held against the installed frameworks."""
