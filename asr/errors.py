"""The one exception that is meant for the user."""


class AsrError(Exception):
    """A problem that the user can mend.

    Its text is a sentence: the thing, what was expected, what was found, what to do. Any other exception
    that reaches the user is a bug of ours.
    """
