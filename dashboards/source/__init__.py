"""Writes the dashboards: what each panel asks and says, as tables; Grafana's JSON comes of it."""
