"""Start, watch and isolate the processes; replay; demo."""
