"""MAKING: a data set and a task in, a sealed package out; the only room that knows torch."""
