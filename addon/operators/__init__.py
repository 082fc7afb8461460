"""One module per theme. Each holds what a script can call, and operators that only translate and delegate."""
