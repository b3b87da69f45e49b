"""Every step of a deployment, in order. To undo it is to go back, step by step."""

from deploy.accounts import accounts, apis
from deploy.building import building
from deploy.ledger import ledger
from deploy.messages import subscriptions, tick, topics
from deploy.names import Deployment
from deploy.secrets import configuration, secrets
from deploy.services import access, services
from deploy.step import Step
from deploy.watching import watching
from deploy.webhook import webhook

PARTS = {
    "apis": apis,
    "accounts": accounts,
    "build": building,
    "topics": topics,
    "ledger": ledger,
    "secrets": secrets,
    "configuration": configuration,
    "services": services,
    "access": access,
    "subscriptions": subscriptions,
    "tick": tick,
    "alerts": watching,
    "webhook": webhook,
}


def steps(it: Deployment) -> list[Step]:
    """What `it` consists of, in the order in which it is made."""
    return [step for part in PARTS.values() for step in part(it)]
