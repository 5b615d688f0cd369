"""Detection: which component is at fault, what is wrong with it, and how sure that is.

One list of observations in the order of their slots; a sum of evidence for every set of routes
that a component stands for (`walk`); where one of them reaches its threshold, the likeliest
explanation of what was seen (`localise`); then a case until it is over (`case`).
"""
