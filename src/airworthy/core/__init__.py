"""Values and ports that two rooms share; knows no I/O, no clock but the one handed in, no other room."""
