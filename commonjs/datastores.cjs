module.exports = require('../dist/commonjs.cjs').datastores;
