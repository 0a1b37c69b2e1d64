"""How the shipped packages are made; `make models` runs `shipped.py`, then `figures.py`."""
