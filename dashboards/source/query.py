"""What a panel asks of Prometheus."""

from __future__ import annotations

from dataclasses import dataclass

PROBER = 'job=~"$job",instance=~"$instance"'

# What the queries below leave out: `mailprobe_fault{<any>}`. Whatever has a label can be chosen by
# it at the top of its dashboard.
SELECTORS = {
    "<any>": PROBER,
    "<relay>": f'{PROBER},relay=~"$relay"',
    "<node>": f'{PROBER},relay=~"$relay",node=~"$node"',
    "<route>": f'{PROBER},relay=~"$relay",node=~"$node",mailbox=~"$mailbox"',
    "<way>": f'{PROBER},relay=~"$relay",mailbox=~"$mailbox"',
    "<mailbox>": f'{PROBER},mailbox=~"$mailbox"',
    "<sent>": f'{PROBER},relay=~"$relay",sender=~"$sender",mailbox=~"$mailbox"',
    "<domain>": f'{PROBER},domain=~"$domain"',
}


@dataclass(frozen=True, slots=True)
class Query:
    """A question, and what its answer is called in the legend."""

    text: str  # With the short forms of SELECTORS, and any line breaks.
    legend: str = ""

    @property
    def expr(self) -> str:
        """The question in PromQL, in one line."""
        expr = " ".join(self.text.split()).replace("( ", "(").replace(" )", ")")
        for short, selector in SELECTORS.items():
            expr = expr.replace(short, selector)
        return expr
