"""The migrations, one number each. The package above says what makes one."""
