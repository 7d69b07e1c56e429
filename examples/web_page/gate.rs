//! The address of whoever tests the page comes in, from the environment; each item goes on when a byte comes
//! from there. Without such an address there is no gate.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Where the tester listens.
const ADDRESS: &str = "WEB_PAGE_GATE";

/// One stream's connection to its tester.
pub(crate) struct Gate {
    address: String,
    tester: Option<TcpStream>,
    /// The tester has sent its last.
    open: bool,
}

impl Gate {
    pub(crate) fn of_environment() -> Option<Self> {
        Some(Self { address: std::env::var(ADDRESS).ok()?, tester: None, open: false })
    }

    /// Waits for one byte. Once the tester has sent its last, nothing waits any more.
    pub(crate) async fn wait(&mut self) -> io::Result<()> {
        if self.open {
            return Ok(());
        }
        let tester = match &mut self.tester {
            Some(tester) => tester,
            None => self.tester.insert(TcpStream::connect(&self.address).await?),
        };
        self.open = tester.read(&mut [0]).await? == 0;
        Ok(())
    }
}
