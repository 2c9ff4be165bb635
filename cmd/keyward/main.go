// Keyward makes, keeps, registers and uses the keys and certificates of a team's services.
package main

import (
	"os"

	"keyward/cmd"
)

var version = "dev" // set by the linker in releases

func main() { os.Exit(cmd.Main(version)) }
