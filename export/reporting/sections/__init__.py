"""What stands on the page, a module for each part; every section is made of `Material` alone.

parts        what sections are made of: tables, notes, commands, pictures
answer       which model on which Raspberry Pi, and why
hearing      figures of the models, sound by sound; what that is like in a room
cost         time and memory, device by device
comparison   every estimator on every extractor; the original report's table
trust        what a probability is worth; what nobody knows
reproduce    the commands
"""
