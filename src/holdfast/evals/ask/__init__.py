"""Questions to the demo plant, written by hand: are they answered rightly, and cited?"""
