// A client of the line protocol, as glockd's own Go client writes its commands: with a space before them and two behind.
// It reads "COMMAND NAME" lines from standard input and prints each reply. Argument: the address, such as 127.0.0.1:9999.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
)

func main() {
	conn, err := net.Dial("tcp", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	replies := bufio.NewReader(conn)
	commands := bufio.NewScanner(os.Stdin)
	fmt.Println("connected")
	for commands.Scan() {
		command, name, _ := strings.Cut(commands.Text(), " ")
		fmt.Fprintf(conn, " %s  %s\n", command, name)
		reply, err := replies.ReadString('\n')
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(strings.TrimSpace(reply))
	}
}
