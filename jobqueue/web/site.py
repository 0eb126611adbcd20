"""Site: what all pages share."""

from dataclasses import dataclass

from jobqueue.operating.operator import Operator
from jobqueue.web.actions.changes import Changes, new_token
from jobqueue.web.broker_calls import BrokerCalls
from jobqueue.web.known_calls import KnownCalls
from jobqueue.web.known_failures import KnownFailures
from jobqueue.web.rendering import Renderer
from jobqueue.web.samples import Samples
from jobqueue.web.settings import WebSettings


@dataclass(frozen=True, slots=True)
class Site:
    """What all pages share: the broker, what is known of it, and the settings."""

    settings: WebSettings
    operator: Operator
    calls: BrokerCalls
    samples: Samples
    failures: KnownFailures
    calls_of_jobs: KnownCalls
    changes: Changes
    renderer: Renderer

    @classmethod
    def of(cls, operator: Operator, settings: WebSettings) -> "Site":
        """Return a site. Nothing is asked of the broker yet."""
        samples = Samples(operator)
        failures = KnownFailures(operator)

        def expire() -> None:
            samples.expire()
            failures.expire()

        changes = Changes(expire)
        values = {
            "settings": settings,
            "address": operator.address,
            "change_of": changes.get,
            "new_token": new_token,
        }
        return cls(
            settings=settings,
            operator=operator,
            calls=BrokerCalls(),
            samples=samples,
            failures=failures,
            calls_of_jobs=KnownCalls(operator),
            changes=changes,
            renderer=Renderer(values),
        )
