"""Farm: lists of jobs, what they come to as tasks, and the engines that run those: local, Ray, Open Job Description.

marked    a list as it is written, with the line of every value
jobs      what it asks for, checked whole
tasks     what one worker does: find shots, dream some of them, join
drive     a list, run by an engine from its first task to its last
local, cluster    the engines; openjd and shell hand the list to somebody else's
"""
