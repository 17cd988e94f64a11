"""The example of glockd's manual, for Python 3: one command over a Unix socket. Arguments: the socket, the command."""
import socket
import sys

s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.connect(sys.argv[1])
s.send(sys.argv[2].encode() + b"\n")
print(s.recv(1024).decode().strip(), flush=True)
sys.stdin.read()
