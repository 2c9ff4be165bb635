# made by make generate
