"""Dive: into a picture, for ever. Masters one doubling apart, and one look per pixel; or frame upon frame.

windows.py    which masters a path needs, and which shows each moment        numbers only
masters.py    dreams them, and makes them agree
balance.py    holds the energy of their octaves, and their colours
store.py      keeps them on disk
exposure.py   holds the light of what is seen, moment by moment
compose.py    looks frames up in them
exact.py      all of it as a walk
feedback.py   the classic dive, and the still that lives
opening.py    which of these a dive is
"""
