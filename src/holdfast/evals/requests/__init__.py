"""Requests of operators, written by hand: are they read rightly, and is what must not be taken never taken?"""
