//! The HTTP side by itself: a small resource behind the real accept loop, edge and sockets.

mod bodies;
mod bounds;
mod edge;
mod fixture;
mod https;
mod sockets;
mod stop;
mod tls;
mod web;
