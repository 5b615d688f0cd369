"""What a configuration will come to: how soon which fault is named, and what the prober costs."""
