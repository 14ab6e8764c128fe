"""A compressed week: five sessions of a whole `up` at twenty times the speed, a fault every half minute, nobody helps."""
