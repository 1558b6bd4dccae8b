package pool

This is not read.
