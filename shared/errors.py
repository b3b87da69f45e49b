"""The ways work may fail; what is raised decides whether it is tried again."""


class Failure(Exception):
    """Work that we expect may fail, failed. The message is safe to log and to show."""


class TemporaryFailure(Failure):
    """The same call may succeed later: the action becomes due again.

    `retry_after_s` is what the other side asked for, if it did.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PermanentFailure(Failure):
    """Repeating it cannot help: to the dead letters, with the reason."""


class NotSet(PermanentFailure):
    """What it takes is not set here, a variable or a project: whoever runs it has to."""


class Mistake(Exception):
    """The configuration is wrong. The message says where, what and how to mend it; no value in it.

    It stops the start: nothing is received or delivered with a configuration half understood.
    """
