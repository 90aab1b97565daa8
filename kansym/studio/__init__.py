"""A window in the browser onto everything that kansym does: look, steer, decide.

`desk` and the rooms below it are plain Python and know no browser; `page` draws them with NiceGUI, `server`
puts them behind a lock on this machine. Not here: mathematics; each click asks a room that has it.
"""
