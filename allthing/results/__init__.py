"""Results: how polls are counted, frozen, checked, drawn and handed out."""
