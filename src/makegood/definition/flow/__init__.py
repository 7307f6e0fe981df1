"""What a body may say beside calling steps: branches, failing, sleeping. One manner a module."""
