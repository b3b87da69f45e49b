"""Refusals: what the service answers to a call that it does not carry out."""

import grpc


class Refused(Exception):
    """The call is refused with `status`, and nothing of it has happened."""

    def __init__(self, status: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.status = status


def invalid(text: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, text)


def out_of_range(text: str) -> Refused:
    return Refused(grpc.StatusCode.OUT_OF_RANGE, text)


def not_found(name: str) -> Refused:
    return Refused(grpc.StatusCode.NOT_FOUND, f"Resource not found (resource={name}).")


def already_exists(name: str) -> Refused:
    return Refused(
        grpc.StatusCode.ALREADY_EXISTS,
        f"Resource already exists in the project (resource={name}).",
    )


def not_for_push(name: str) -> Refused:
    return Refused(
        grpc.StatusCode.FAILED_PRECONDITION,
        f"This method is not supported for push subscriptions (resource={name}).",
    )


def not_built(what: str) -> Refused:
    """The real service does it, the lab does not: better refused than accepted without effect."""
    return Refused(grpc.StatusCode.UNIMPLEMENTED, f"The lab's Pub/Sub has no {what}.")
