"""What next, where no run is concerned: the slots of schedules, and what is given to recipients."""
