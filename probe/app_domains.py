"""What is known of the senders' domains, put together: from DNS, and from the mail that arrives."""

from __future__ import annotations

from collections.abc import Mapping

from probe.app_dns import examiner
from probe.config import Settings
from probe.core.model import Loop
from probe.edges.dkim import DkimVerifier
from probe.edges.resolver import DnsResolver
from probe.edges.resolver_records import DnsRecords
from probe.engine.books import Books
from probe.engine.crew import Crew
from probe.engine.domain_book import DomainBook
from probe.engine.domains import Declare, Domains
from probe.engine.keyring import Keyring
from probe.engine.notary import Notary
from probe.engine.notebook import Notebook
from probe.metrics import Exporter
from probe.ports import Clock, Journal


class SenderWatch:
    """Who checks the domains, and who looks at what arrives from them."""

    def __init__(
        self,
        settings: Settings,
        *,
        resolver: DnsResolver,
        books: Books,
        declare: Declare,
        journal: Journal,
        metrics: Exporter,
        clock: Clock,
        notes: Mapping[tuple[str, str], str],
    ) -> None:
        """`declare` takes what is wrong with a sender; `notes` are those of the last run."""
        notebook = Notebook(journal, clock, notes)
        keyring = Keyring(DnsRecords(resolver), clock)
        self.notary = Notary(
            DkimVerifier(), keyring, books=books, notebook=notebook, domains=settings.domains
        )
        book = DomainBook(journal=journal, metrics=metrics.domains, clock=clock, notes=notes)
        self.domains = Domains(
            examiner(resolver, settings.helo),
            book,
            selectors=notebook.selectors,
            declare=declare,
            clock=clock,
        )

    def follow(self, settings: Settings) -> None:
        """From now on the configuration says so."""
        self.notary.follow(settings.domains)
        self.domains.follow(settings.domains, settings.dns, settings.dnsbls)

    def start(self, crew: Crew) -> None:
        """Start both loops."""
        crew.start(Loop.INSPECTOR, "signatures", self.notary.run)
        crew.start(Loop.INSPECTOR, "dns", self.domains.run)
