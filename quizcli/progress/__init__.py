"""What a learner has done: an append-only log of events, and the card states that follow from it."""
