"""Ui: the page on which a look is chosen with the eyes. Settings in, a page on this machine, a command out."""
