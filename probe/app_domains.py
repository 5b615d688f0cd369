"""What is known of the senders' domains, put together: from DNS, and from the mail that arrives."""

from __future__ import annotations

from collections.abc import Mapping

from probe.app_dns import examiner
from probe.app_setup import Ground
from probe.config import Settings
from probe.core.model import Loop
from probe.edges.dkim import DkimVerifier
from probe.edges.resolver_records import DnsRecords
from probe.engine.crew import Crew
from probe.engine.domain_book import DomainBook
from probe.engine.domains import Domains
from probe.engine.keyring import Keyring
from probe.engine.notary import Notary
from probe.engine.notebook import Notebook
from probe.engine.witness import Witness


class SenderWatch:
    """Who checks the domains, and who looks at what arrives from them."""

    def __init__(
        self, settings: Settings, ground: Ground, notes: Mapping[tuple[str, str], str]
    ) -> None:
        """`notes`: what the last run left in the journal, by topic and name."""
        clock, journal = ground.clock, ground.journal
        self.notebook = Notebook(journal, clock, notes)
        self.notary = Notary(
            DkimVerifier(),
            Keyring(DnsRecords(ground.resolver), clock),
            books=ground.books,
            notebook=self.notebook,
            domains=settings.domains,
        )
        self.witness = Witness(ground.resolver, clock)
        metrics = ground.metrics.domains
        self.domains = Domains(
            examiner(ground.resolver, settings.helo),
            DomainBook(journal=journal, metrics=metrics, clock=clock, notes=notes),
            selectors=self.notebook.selectors,
            declare=ground.findings.declare,
            clock=clock,
        )

    def follow(self, settings: Settings) -> None:
        """From now on the configuration says so."""
        self.notary.follow(settings.domains)
        self.witness.follow(settings.senders)
        self.domains.follow(settings.domains, settings.dns, settings.dnsbls)

    def start(self, crew: Crew) -> None:
        """Start the loops."""
        crew.start(Loop.INSPECTOR, "signatures", self.notary.run)
        crew.start(Loop.INSPECTOR, "dns", self.domains.run)
        crew.start(Loop.INSPECTOR, "witness", self.witness.run)
