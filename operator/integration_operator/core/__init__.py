"""What everything else is written in terms of; imports nothing of ours."""
