"""What the browser shows: pieces of the page, each drawn from the desk and drawn again when it changes.

Nothing is decided here; what is clicked goes to the desk, whose refusals are shown as they are worded.
"""
