"""What is known of torch's names and their counterparts: the tables of this folder, and `table.py` that reads them."""
