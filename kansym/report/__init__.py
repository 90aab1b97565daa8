"""What a person sees and takes along: text, JSON, the page, figures, and source code in other languages.

Everything is returned, nothing printed. Not here: the command line's output (`cli`).
"""
