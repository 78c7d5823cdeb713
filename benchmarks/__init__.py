"""What skelaug costs, measured beside what it is compared with."""
