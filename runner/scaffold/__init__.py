"""Job files made from what is there: a function and a data file are looked at, and neither is run."""
